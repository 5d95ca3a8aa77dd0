#include "schemas/settings.hpp"

namespace troupe {

/// In minified JSON these bytes are nothing but such an object: quotes inside of texts are escaped.
std::string redacted(std::string json) {
    constexpr std::string_view begin = R"({"sealed":")";
    constexpr std::string_view end = R"("})";
    constexpr std::string_view shown = R"({"redacted":true})";
    for (auto at = json.find(begin); at != std::string::npos; at = json.find(begin, at + shown.size())) {
        const auto last = json.find(end, at + begin.size());
        if (last == std::string::npos) {
            break;
        }
        json.replace(at, last + end.size() - at, shown);
    }
    return json;
}

} // namespace troupe
