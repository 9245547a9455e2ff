// Asio's TLS stream, compiled here once, as base has the rest of Asio: only the probe uses it.
#include <boost/asio/ssl/impl/src.hpp>
