#pragma once

#include "schemas/base/json.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

/// How a model sees a page: its accessibility tree as text. Pure.
namespace troupe::actors {

inline constexpr std::size_t tree_bytes_max = 64 << 10;

struct page_tree {
    std::string text; ///< A line for each node, two blanks a level; `tree_bytes_max` and a last line that says more.
    std::set<std::int64_t> refs; ///< What can be clicked, typed into or chosen: numbers of the browser's nodes.
};

/// `nodes` is what Accessibility.getFullAXTree gives. What screen readers pass over is left out.
page_tree read_tree(const json::value& nodes);

/// "e12" for node 12, and back; nothing when it is no reference.
std::string ref_text(std::int64_t node);
std::optional<std::int64_t> parse_ref(std::string_view text);

/// One line of at most `bytes_max`: what is in a page may hold anything.
std::string one_line(std::string_view text, std::size_t bytes_max);

} // namespace troupe::actors
