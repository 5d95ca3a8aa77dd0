#include "actors/audit/audit_text.hpp"

#include "actors/audit/refusal_model.hpp"
#include "actors/common/csv.hpp"
#include "schemas/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe::actors {

namespace {

audit_result result_of(std::string_view type) {
    if (type == wire_name<request_denied>::value) {
        return audit_result::denied;
    }
    const bool failed = type == wire_name<login_failed>::value || type == wire_name<cluster_change_failed>::value;
    return failed ? audit_result::failure : audit_result::success;
}

std::string hex_of(const storage::audit_digest& d) {
    return to_hex({reinterpret_cast<const char*>(d.data()), d.size()});
}

/// One number of "a-b-c"; moves behind it.
template <class Number>
bool take(std::string_view& text, Number& out, bool last) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc()) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (last) {
        return text.empty();
    }
    const bool dash = text.starts_with('-');
    text.remove_prefix(dash ? 1 : 0);
    return dash;
}

} // namespace

audit_entry entry_of(const storage::audit_line& line) {
    audit_entry out;
    out.id = audit_id(line);
    out.at = line.time;
    out.result = result_of(line.type);
    out.action = line.type;
    out.principal = line.principal;
    out.kind = line.entity.kind;
    out.entity_id = line.entity.id;
    out.version = line.entity_seq;
    out.address = line.client.address;
    out.user_agent = line.client.program;
    out.request_id = line.correlation;
    out.cause = line.cause;
    out.number = line.number;
    out.record = hex_of(line.record);
    out.chain = hex_of(line.chain);
    return out;
}

bool is_confidential(std::string_view kind) {
    constexpr std::array<std::string_view, 5> kinds{"user", "session", "api_key", "secret", "keyring"};
    return std::ranges::find(kinds, kind) != kinds.end();
}

audit_entry entry_with_details(const storage::store& s, const storage::audit_line& line) {
    auto out = entry_of(line);
    if (is_confidential(line.entity.kind)) {
        return out;
    }
    if (auto found = storage::read_audit_details(s, line); found && *found) {
        out.details = json::raw{redacted(std::move(**found))};
    }
    return out;
}

std::string audit_id(const storage::audit_line& line) {
    return std::to_string(line.time.ms) + "-" + std::to_string(line.shard) + "-" + std::to_string(line.seq);
}

std::optional<audit_place> parse_audit_id(std::string_view text) {
    audit_place out;
    const bool good = take(text, out.time.ms, false) && take(text, out.shard, false) && take(text, out.seq, true);
    return good ? std::optional(out) : std::nullopt;
}

std::string digest_of(const std::vector<audit_chain_end>& chains) {
    std::string all;
    for (const auto& c : chains) {
        all += to_string(c.organization_id) + " " + std::to_string(c.shard) + " " + std::to_string(c.number) + " " +
               c.chain + "\n";
    }
    const auto digest = sha256(all);
    return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string to_csv(const std::vector<audit_entry>& entries) {
    std::string out = "at,result,action,principal,kind,entity_id,version,address,user_agent,request_id,cause,number,"
                      "record,chain,details\r\n";
    for (const auto& e : entries) {
        const std::array cells{to_string(e.at),
                               std::string(detail::enum_name(e.result)),
                               e.action,
                               e.principal,
                               e.kind,
                               to_string(e.entity_id),
                               std::to_string(e.version),
                               e.address,
                               e.user_agent,
                               e.request_id,
                               e.cause,
                               std::to_string(e.number),
                               e.record,
                               e.chain,
                               e.details ? e.details->text : std::string()};
        for (std::size_t i = 0; i < cells.size(); ++i) {
            out += (i > 0 ? "," : "") + csv_text(cells[i]);
        }
        out += "\r\n";
    }
    return out;
}

std::string to_json_array(const std::vector<audit_entry>& entries) {
    std::string out = "[";
    for (const auto& e : entries) {
        out += out.size() > 1 ? ",\n" : "";
        out += to_json(e);
    }
    return out + "]\n";
}

} // namespace troupe::actors
