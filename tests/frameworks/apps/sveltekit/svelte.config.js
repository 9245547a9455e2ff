export default {
  kit: {
  },
};
