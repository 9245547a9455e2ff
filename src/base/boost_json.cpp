// Boost.JSON, compiled here once, so that nothing links to its shared library. Other files include <boost/json.hpp> as usual.
#include <boost/json/src.hpp>
