/** What a statement throws, said as an AppError. Every store goes through it. */
import { toDatabaseFault } from "@florin/runtime/postgres";

export async function guarded<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}
