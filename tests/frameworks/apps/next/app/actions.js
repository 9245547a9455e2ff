'use server';

export async function greet(before, form) {
  return `hello ${form.get('name')}`;
}
