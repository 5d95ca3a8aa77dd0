#include "actors/application/run_companions.hpp"

#include "schemas/base/json.hpp"
#include "storage/views.hpp"

#include <filesystem>
#include <utility>

namespace troupe::actors {

namespace {

/// As its document says; also when it was deleted.
bool has_ended(const storage::store& store, const entity_address& run) {
    const auto found = storage::read_document(store, run);
    if (!found || !*found) {
        return found.has_value();
    }
    const auto read = json::document::parse((*found)->json);
    const auto status = read ? read->root().text_or("status") : std::string();
    return status == "succeeded" || status == "failed" || status == "cancelled";
}

} // namespace

expected<std::unique_ptr<browser_desk>> make_run_browsers(const runtime::config& settings, runtime::sandbox& commands,
                                                          const storage::store& store) {
    auto allowed = runtime::fetch_policy::parse(settings.tools_fetch_allow);
    if (!allowed) {
        return allowed.error();
    }
    return std::make_unique<browser_desk>(
        browser_desk::settings{.folder = std::filesystem::absolute(settings.data) / "browsers",
                               .commands = &commands,
                               .allowed = std::move(*allowed),
                               .has_ended = [&store](const entity_address& run) { return has_ended(store, run); }});
}

std::unique_ptr<process_desk> make_run_processes(const runtime::config& settings, runtime::sandbox& commands,
                                                 const storage::store& store) {
    return std::make_unique<process_desk>(
        process_desk::settings{.folder = std::filesystem::absolute(settings.data) / "processes",
                               .commands = &commands,
                               .has_ended = [&store](const entity_address& run) { return has_ended(store, run); }});
}

} // namespace troupe::actors
