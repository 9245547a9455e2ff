// The labels of public names, and workspaces' addresses.
#include "gateway/labels.hpp"

#include <catch2/catch.hpp>

using namespace cmux::gateway;
using Kind = Label::Kind;

TEST_CASE("gateway labels: every form, and back") {
  const struct {
    std::string_view text;
    Label label;
    std::string_view again;
  } rows[] = {
      {"port-3000-abc", {Kind::port, "abc", "", 3000}, "port-80-abc"},
      {"port-3000-morphvm-a1-b2", {Kind::port, "morphvm-a1-b2", "", 3000}, "port-80-morphvm-a1-b2"},
      {"cmux-abc-3000", {Kind::cmux, "abc", "", 3000, true}, "cmux-abc-80"},
      {"cmux-abc-base-3000", {Kind::cmux, "abc", "", 3000}, "cmux-abc-base-80"},
      {"cmux-abc-ws2-65535", {Kind::cmux, "abc", "ws2", 65535}, "cmux-abc-ws2-80"},
      {"cmux-abc-my-ws-2-1", {Kind::cmux, "abc", "my-ws-2", 1}, "cmux-abc-my-ws-2-80"},
      {"ws-3000-vm1", {Kind::workspace, "vm1", "ws", 3000}, "ws-80-vm1"},
      {"my-ws-2-3000-vm1", {Kind::workspace, "vm1", "my-ws-2", 3000}, "my-ws-2-80-vm1"},
      {"base-3000-vm1", {Kind::workspace, "vm1", "base", 3000}, "base-80-vm1"},
      {"3000-3000-3000", {Kind::workspace, "3000", "3000", 3000}, "3000-80-3000"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto label = parse_label(row.text);
    REQUIRE(label.has_value());
    CHECK(*label == row.label);
    CHECK(label->before_port() + "80" + label->after_port() == row.again);
  }
}

TEST_CASE("gateway labels: what is none is refused with the reason") {
  for (const std::string_view text : {"",
                                      "-",
                                      "--",
                                      "---",
                                      "cmux",
                                      "cmux-",
                                      "cmux-abc",
                                      "cmux--3000",
                                      "cmux-abc-",
                                      "cmux-abc--3000",
                                      "cmux-abc-0",
                                      "cmux-abc-65536",
                                      "cmux-abc-03000",
                                      "cmux-abc-30a0",
                                      "cmux-abc-ws-",
                                      "port",
                                      "port-",
                                      "port-3000",
                                      "port-3000-",
                                      "port-0-abc",
                                      "port-65536-abc",
                                      "port-x-abc",
                                      "port--abc",
                                      "port-3000-a_b",
                                      "www",
                                      "3000",
                                      "a-3000",
                                      "ws-3000-",
                                      "-3000-vm",
                                      "ws-0-vm",
                                      "ws-65536-vm",
                                      "ws-x-vm",
                                      "ws-3000-v_m",
                                      "a_b-3000-vm",
                                      "cmux-a_b-3000",
                                      "cmux-ABC-3000"}) {
    CAPTURE(text);
    const auto label = parse_label(text);
    REQUIRE(label.has_error());
    CHECK(label.error().status == 400);
    CHECK(label.error().detail.find("expected") != std::string::npos);
  }
}

TEST_CASE("gateway: a workspace's address is its digits, or a hash of its name") {
  CHECK(workspace_address("workspace-1") == "127.18.0.1");
  CHECK(workspace_address("258") == "127.18.1.2");
  CHECK(workspace_address("/root/ws7") == "127.18.0.7");
  CHECK(workspace_address("/root/ws7//") == "127.18.0.7");
  CHECK(workspace_address("ws4294967295") == "127.18.255.255");
  CHECK(workspace_address("workspace-a") == "127.18.176.32");
  CHECK(workspace_address("/7/Workspace-A") == "127.18.176.32");
  CHECK_FALSE(workspace_address("ws4294967296"));
  CHECK_FALSE(workspace_address("ws99999999999999999999999"));
  CHECK_FALSE(workspace_address(""));
  CHECK_FALSE(workspace_address("//"));
}
