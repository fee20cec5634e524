/** Wrong usage or settings: one line on stderr says which, and nothing was changed. */
export const EXIT_USAGE = 2;
/** It could not be done: one line on stderr says what and where. */
export const EXIT_FAILURE = 1;
