/** Whether what is stored has room to grow. */
export interface StorageRoom {
  /** Why no new work should be begun, in words; null when there is room. */
  readonly shortage: string | null;
}

/** For databases on machines of their own. */
export const unlimitedRoom: StorageRoom = { shortage: null };
