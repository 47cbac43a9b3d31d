/** Who a session speaks for. Rules of what a user may do come with access control. */
export interface User {
  readonly name: string;
}

/** The user of every session that has not authenticated as another one. */
export const DEFAULT_USER: User = { name: "default" };
