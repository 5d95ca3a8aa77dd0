#include "actors/mcp/kept_offers.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"

#include <utility>

namespace troupe::actors {

namespace {

constexpr std::size_t file_bytes_max = 32 << 20;

} // namespace

std::filesystem::path kept_offers_file(const std::filesystem::path& folder, const std::string& server) {
    return folder / ".offers" / (server + ".json");
}

std::optional<kept_offers> read_kept_offers(const std::filesystem::path& folder, const std::string& server) {
    const auto file = kept_offers_file(folder, server);
    const auto text = read_whole_file(file, file_bytes_max);
    auto read = text ? from_json<kept_offers>(*text, strictness::stored) : expected<kept_offers>(text.error());
    if (read) {
        return std::move(*read);
    }
    if (read.error().code != code::not_found) {
        log_for("mcp").error("{} cannot be read: {}", file.string(), read.error().detail);
    }
    return {};
}

} // namespace troupe::actors
