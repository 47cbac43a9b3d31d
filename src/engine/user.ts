/** The user for whom a session acts. Access control will add the rules about the user's permissions. */
export interface User {
  readonly name: string;
}

/** The user of every session that has not authenticated as another user. */
export const DEFAULT_USER: User = { name: "default" };
