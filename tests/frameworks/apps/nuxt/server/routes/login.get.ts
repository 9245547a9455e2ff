export default defineEventHandler((event) => {
  setCookie(event, 'user', 'alice');
  return sendRedirect(event, '/?private');
});
