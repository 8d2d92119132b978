export {
  afterGrant,
  beginTerm,
  type GrantRules,
  type GrantState,
  type Move,
  nextMove,
  type Seen,
} from "./granting.ts";
