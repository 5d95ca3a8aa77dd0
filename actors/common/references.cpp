#include "actors/common/references.hpp"

#include "storage/views.hpp"

#include <utility>

namespace troupe::actors {

expected<std::string> read_named(const runtime::services& s, const net::request& r, std::string_view kind,
                                 const uuid& id) {
    auto stored = storage::read_document(*s.store, {r.who.organization, std::string(kind), id});
    if (!stored) {
        return stored.error();
    }
    if (!*stored) {
        return problem{code::invalid_request,
                       "There is no " + std::string(kind) + " " + to_string(id) + ".",
                       {{"/" + std::string(kind) + "_id", "names nothing"}}};
    }
    return std::move((*stored)->json);
}

expected<void> check_named(const runtime::services& s, const net::request& r, std::string_view kind,
                           const std::optional<uuid>& id) {
    const auto document = id ? read_named(s, r, kind, *id) : expected<std::string>(std::string());
    return document ? expected<void>() : expected<void>(document.error());
}

} // namespace troupe::actors
