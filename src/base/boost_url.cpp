// Boost.URL, compiled here once, so that nothing links to its shared library. Other files include <boost/url.hpp> as usual.
#include <boost/url/src.hpp>
