/** All cases: what the RFCs ask of an authoritative server, each with the section that asks it. */
import { ANSWERS } from './rfc-cases/answers.ts';
import type { RfcCase } from './rfc-cases/case.ts';
import { EDNS } from './rfc-cases/edns.ts';
import { FITTING_CASES } from './rfc-cases/fitting.ts';
import { SCREENING } from './rfc-cases/screening.ts';

export const RFC_CASES: readonly RfcCase[] = [...SCREENING, ...EDNS, ...ANSWERS, ...FITTING_CASES];
