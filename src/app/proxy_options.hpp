#pragma once

#include "app/settings.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {

// What the settings mean to the workers.
proxy::Options proxy_options(const Settings& settings);

}  // namespace cmux::app
