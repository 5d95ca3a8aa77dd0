#include "schemas/name_messages.hpp"

#include "schemas/base/ids.hpp"

#include <algorithm>

namespace troupe {

std::string fold_name(std::string_view name) {
    std::string folded(name);
    std::ranges::transform(folded, folded.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return folded;
}

uuid name_id(const uuid& organization, std::string_view kind, std::string_view name) {
    return derive_uuid({to_string(organization), "name", kind, fold_name(name)});
}

} // namespace troupe
