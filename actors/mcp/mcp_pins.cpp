#include "actors/mcp/mcp_pins.hpp"

#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/log.hpp"

#include <string_view>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t file_bytes_max = 16 << 20;

/// The file.
struct pinned_tools {
    std::map<std::string, std::string> tools;
};
BOOST_DESCRIBE_STRUCT(pinned_tools, (), (tools))

/// All that a model is told of it, and what its arguments may be.
std::string mark_of(const net::mcp::tool& declared) {
    const auto text = to_json(std::vector<std::string>{declared.name, declared.title.value_or(""),
                                                       declared.description.value_or(""), declared.inputSchema.text,
                                                       declared.outputSchema ? declared.outputSchema->text : "",
                                                       declared.annotations ? declared.annotations->text : ""});
    const auto hash = sha256(text);
    return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

} // namespace

mcp_pins::mcp_pins(std::filesystem::path file) : file_(std::move(file)) {
    const auto text = read_whole_file(file_, file_bytes_max);
    auto known = text ? from_json<pinned_tools>(*text, strictness::stored) : expected<pinned_tools>(text.error());
    if (known) {
        marks_ = std::move(known->tools);
    } else if (known.error().code != code::not_found) {
        log_for("mcp").error("{} cannot be read, all tools count as new: {}", file_.string(), known.error().detail);
    }
}

bool mcp_pins::is_known(const std::string& id, const net::mcp::tool& declared) {
    const auto mark = mark_of(declared);
    if (const auto found = marks_.find(id); found != marks_.end()) {
        return found->second == mark;
    }
    if (marks_.size() >= tools_max) {
        return false;
    }
    marks_.emplace(id, mark);
    changed_ = true;
    return true;
}

void mcp_pins::accept(const std::string& id, const net::mcp::tool& declared) {
    marks_[id] = mark_of(declared);
    changed_ = true;
}

expected<void> mcp_pins::save() {
    if (!std::exchange(changed_, false)) {
        return {};
    }
    std::error_code ignored;
    std::filesystem::create_directories(file_.parent_path(), ignored);
    auto done = replace_file(file_, to_json(pinned_tools{marks_}), 0600);
    changed_ = !done;
    return done;
}

} // namespace troupe::actors
