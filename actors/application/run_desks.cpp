#include "actors/application/run_desks.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/json.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

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

/// What the operator wrote there; without the file there are none.
expected<std::vector<runtime::deploy_target>> read_targets(const std::filesystem::path& file) {
    constexpr std::size_t bytes_max = 1 << 20;
    const auto text = read_whole_file(file, bytes_max);
    if (!text && text.error().code != code::not_found) {
        return text.error();
    }
    auto read = runtime::parse_deploy_targets(text ? *text : std::string());
    if (!read) {
        auto wrong = read.error();
        wrong.detail = fmt::format("{} at {}", file.native(), wrong.detail);
        return wrong;
    }
    return read;
}

} // namespace

expected<std::unique_ptr<run_desks>> run_desks::open(const runtime::config& settings, runtime::sandbox& commands,
                                                     const storage::store& store) {
    auto allowed = runtime::fetch_policy::parse(settings.tools_fetch_allow);
    auto targets = read_targets(std::filesystem::path(settings.data) / "deploy.json");
    if (!allowed || !targets) {
        return allowed ? targets.error() : allowed.error();
    }
    const auto data = std::filesystem::absolute(settings.data);
    const auto ended = [&store](const entity_address& run) { return has_ended(store, run); };
    browser_desk::settings browsers{
        .folder = data / "browsers", .commands = &commands, .allowed = std::move(*allowed), .has_ended = ended};
    process_desk::settings processes{.folder = data / "processes", .commands = &commands, .has_ended = ended};
    return std::unique_ptr<run_desks>(
        new run_desks(std::move(browsers), std::move(processes), std::move(*targets), commands));
}

void run_desks::stop() {
    browsers_.stop();
    processes_.stop();
    deployments_.stop();
}

} // namespace troupe::actors
