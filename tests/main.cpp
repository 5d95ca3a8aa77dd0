#define BOOST_TEST_MODULE troupe
#include "tests/source_folder.hpp"

#include <boost/test/unit_test.hpp>

std::filesystem::path troupe::test::source_folder() { return TROUPE_SOURCE_DIR; }
