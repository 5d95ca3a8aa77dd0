#pragma once
#include <filesystem>

namespace troupe::test {

/// Where the sources of this build stand. Not from __FILE__: compilers may be given relative paths, for ccache.
std::filesystem::path source_folder();

} // namespace troupe::test
