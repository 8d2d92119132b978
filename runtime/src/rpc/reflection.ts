/** Server reflection (grpc.reflection.v1 and v1alpha) from the generated descriptors, for grpcurl and `buf curl`. */
import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { service as healthService } from "grpc-health-check";

export function addReflection(server: Pick<Server, "addService">, services: readonly DescService[]): void {
  const files = new Map<string, Buffer>();
  for (const service of services) collect(service.file, files);
  for (const [index, file] of healthFiles().entries()) files.set(`health/${index}`, file);
  // @grpc/reflection reads one thing of a "package definition": the encoded files.
  const definition = { florin: { fileDescriptorProtos: [...files.values()] } } as unknown as ConstructorParameters<
    typeof ReflectionService
  >[0];
  new ReflectionService(definition).addToServer(server);
}

function collect(file: DescFile, files: Map<string, Buffer>): void {
  if (files.has(file.name)) return;
  files.set(file.name, Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  for (const dependency of file.dependencies) collect(dependency, files);
}

/** The descriptors of grpc.health.v1, which its package carries at every message type. */
function healthFiles(): readonly Buffer[] {
  const [check] = Object.values(healthService);
  const type =
    check !== undefined && "requestType" in check ? (check.requestType as { readonly fileDescriptorProtos?: readonly Buffer[] }) : {};
  return type.fileDescriptorProtos ?? [];
}
