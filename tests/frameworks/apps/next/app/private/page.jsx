import { cookies } from 'next/headers';

export default async function Private() {
  return <p id="user">{(await cookies()).get('user')?.value ?? 'nobody'}</p>;
}
