import { cookies } from 'next/headers';
import { redirect } from 'next/navigation';

export async function GET() {
  (await cookies()).set('user', 'alice', { httpOnly: true });
  redirect('/private');
}
