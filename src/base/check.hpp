// Checks: what this project's own code promises itself. They stay in release: a proxy that goes on with a broken promise hands
// one client's bytes to another, or waits for ever, and nobody learns why. What peers, users and the system do is never checked
// by these: that is an error, and a value.
//
//   CMUX_CHECK(held >= size, "a stream gives no more than it holds");
//   CMUX_INVARIANTS(*this);   // at the end of a public operation: calls invariants(), where somebody wants to know
//
// A check is one comparison of values at hand. What takes a walk is an invariant: debug builds, sanitizers, the simulation and
// the tests look at those, release does not.
#pragma once

namespace cmux {

// Says to standard error which promise is broken, and where, in one line, and aborts. No locks and no memory: all may be broken.
[[noreturn]] void check_failed(const char* file, int line, const char* promise) noexcept;

// One for all threads, set before they start.
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
inline bool invariants_wanted = false;
#else
inline bool invariants_wanted = true;
#endif

}  // namespace cmux

#define CMUX_CHECK(condition, promise) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void() : ::cmux::check_failed(__FILE__, __LINE__, promise))

#define CMUX_INVARIANTS(object) (__builtin_expect(::cmux::invariants_wanted, 0) ? (object).invariants() : void())
