#include "storage/audit_document.hpp"

#include "schemas/base/cipher.hpp"

#include <algorithm>
#include <string>

namespace troupe::storage {

audit_chain_end to_document(const audit_head& head) {
    return {head.organization, head.shard, head.number,
            to_hex({reinterpret_cast<const char*>(head.chain.data()), head.chain.size()})};
}

audit_verification_document to_document(const audit_verification& found) {
    return {found.bad_count == 0, found.lines,    found.chains,    found.compared,
            found.pending,        found.anchored, found.bad_count, found.bad};
}

expected<std::vector<audit_head>> read_anchor(const std::vector<audit_chain_end>& chains) {
    std::vector<audit_head> out;
    for (std::size_t i = 0; i < chains.size(); ++i) {
        const auto& each = chains[i];
        const auto bytes = from_hex(each.chain);
        audit_head head{each.organization_id, each.shard, each.number, {}};
        if (!bytes || bytes->size() != head.chain.size()) {
            return problem{code::invalid_request,
                           "The anchor cannot be read: a chain is not 64 hexadecimal digits.",
                           {{"/chains/" + std::to_string(i) + "/chain", "is not 64 hexadecimal digits"}}};
        }
        std::ranges::copy(*bytes, head.chain.begin());
        out.push_back(head);
    }
    return out;
}

} // namespace troupe::storage
