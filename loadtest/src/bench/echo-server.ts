/** The ruler of every figure: a bare Fastify that answers the same request with its own body. Prints its port to the parent. */
import Fastify from "fastify";

const server = Fastify();
server.post("/v1/payments/authorize", (request, reply) => reply.code(201).send(request.body));
await server.listen({ host: "127.0.0.1", port: 0 });
const address = server.server.address();
process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
process.once("disconnect", () => process.exit(0));
