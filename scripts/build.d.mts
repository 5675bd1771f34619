/** Whether the compiler and the sources are here: an installation for production has neither. */
export declare const canBuild: () => boolean;
/** Whether there is something to start. */
export declare const isBuilt: () => boolean;
/** Builds what is stale; false when that failed. */
export declare const buildIfStale: () => boolean;
