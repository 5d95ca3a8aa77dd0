#include "schemas/base/log.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <cstddef>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool quiet = troupe::set_log_levels("off").has_value();
    troupe::fuzz::claim(quiet, "logging can be switched off");
    troupe::fuzz::try_input({reinterpret_cast<const char*>(data), size});
    return 0;
}
