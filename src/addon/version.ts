/** The version of netring that this is: the addon has to be of the same one. `npm run check:release` compares it. */
export const version = '0.1.0'
