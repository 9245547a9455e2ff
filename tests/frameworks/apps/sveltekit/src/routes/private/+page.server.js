export const load = ({ cookies }) => ({ user: cookies.get('user') ?? 'nobody' });
