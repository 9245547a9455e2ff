#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "base/check.hpp"

int main(int count, char** arguments) {
  cmux::invariants_wanted = true;
  return Catch::Session().run(count, arguments);
}
