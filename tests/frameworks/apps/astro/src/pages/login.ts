import type { APIRoute } from 'astro';

export const GET: APIRoute = ({ cookies, redirect }) => {
  cookies.set('user', 'alice', { path: '/' });
  return redirect('/private');
};
