/** Wrong usage or settings: one line on stderr says which, and nothing was changed. */
export const EXIT_USAGE = 2;
