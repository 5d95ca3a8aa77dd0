#include "schemas/document_messages.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe {

std::string document_version_key(std::uint64_t number) { return fmt::format("{:012}", number); }

document_access access_of(const document_caller& caller, const std::string& created_by,
                          document_access organization_access, const std::vector<document_share>& shared_with) {
    if (caller.manages || caller.name == created_by) {
        return document_access::write;
    }
    const auto mine = std::ranges::find_if(
        shared_with, [&](const document_share& one) { return "user/" + to_string(one.user_id) == caller.name; });
    return mine == shared_with.end() ? organization_access : std::max(mine->access, organization_access);
}

} // namespace troupe
