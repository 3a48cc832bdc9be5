/**
 * A name as it is shown. Names of people and rooms are what somebody else or their server says: here they
 * lose what can't be seen and what turns round the text beside it, so that none is empty to the eye,
 * spoils a line or is as long as a book. What is stored and signed stays as it is.
 */

/** As many as the API lets a display name have. */
const LONGEST = 128
const SPACE = /[\p{White_Space}\p{Cc}]+/gu
/** Directions, fillers and marks without a shape; joiners stay, scripts and emoji are made with them. */
const UNSEEN =
  /[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180E\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB]/gu
const SEEN = /[\p{L}\p{N}\p{P}\p{S}]/u

/** Empty where nothing of it would be seen. */
export function shownName(text: string): string {
  // Long enough for any name with what is taken out of it, short enough to look through.
  const plain = text
    .slice(0, 16 * LONGEST)
    .replace(SPACE, ' ')
    .replace(UNSEEN, '')
    .trim()
  return SEEN.test(plain) ? [...plain].slice(0, LONGEST).join('').toWellFormed() : ''
}
