// See contract_test.cpp. Says what differs; 0: nothing does.
#pragma once

namespace sim {
int run_contract();
}
