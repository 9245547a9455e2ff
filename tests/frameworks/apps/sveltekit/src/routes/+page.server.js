export const actions = {
  default: async ({ request }) => ({ said: `hello ${(await request.formData()).get('name')}` }),
};
