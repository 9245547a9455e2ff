// The table that docs/limits.md is made from: limits_page_test.cpp.
#pragma once

#include <set>
#include <string>
#include <vector>

enum class Unit { count, bytes, ms, s };

// Without a place: a heading.
struct Bound {
  std::string what;
  std::string place;  // of its value: "--setting", or "file in src/: name"
  Unit unit;          // of a value in the sources
  std::string edge;   // what happens there
  std::vector<std::string> tests;
};

extern const std::vector<Bound> kTrafficBounds, kInstanceBounds, kGatewayBounds;  // by who meets them
extern const std::set<std::string> kNoBounds;  // what is called like a limit and is none that anybody meets from outside
