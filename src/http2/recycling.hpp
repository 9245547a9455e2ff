// nghttp2's memory: it allocates a dozen small objects a stream, and they come from the lists that coroutine frames are recycled
// in. They belong to the thread that allocates them.
#pragma once

#include <nghttp2/nghttp2.h>

namespace cmux::http2 {

nghttp2_mem recycling_memory();

}  // namespace cmux::http2
