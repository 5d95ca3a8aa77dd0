#include "runtime/config/syslog_place.hpp"

namespace troupe::runtime {

expected<syslog_place> parse_syslog_place(std::string_view text) {
    constexpr std::size_t scheme = 6; // "udp://"
    const bool is_udp = text.starts_with("udp://");
    const auto colon = text.rfind(':');
    if ((!is_udp && !text.starts_with("tcp://")) || colon <= scheme || colon + 1 >= text.size()) {
        return problem{code::config_invalid, "expected udp://HOST:PORT or tcp://HOST:PORT"};
    }
    auto host = text.substr(scheme, colon - scheme);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    return syslog_place{is_udp, std::string(host), std::string(text.substr(colon + 1))};
}

} // namespace troupe::runtime
