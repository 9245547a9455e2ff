import { redirect } from '@sveltejs/kit';

export function GET({ cookies }) {
  cookies.set('user', 'alice', { path: '/' });
  redirect(303, '/private');
}
