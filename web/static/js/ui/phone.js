/**
 * Whether there is no more room than on a phone: rows of two lines, details as a sheet. The styles say the same.
 */

export const phone = matchMedia("(max-width: 719.98px)");
