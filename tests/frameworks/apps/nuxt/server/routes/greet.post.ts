export default defineEventHandler(async (event) => ({ said: `hello ${(await readBody(event)).name}` }));
