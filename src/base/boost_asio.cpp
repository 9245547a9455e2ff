// Boost.Asio, compiled here once (BOOST_ASIO_SEPARATE_COMPILATION). Other files include what they use of it as usual.
#include <boost/asio/impl/src.hpp>
