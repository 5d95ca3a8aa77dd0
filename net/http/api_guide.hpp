#pragma once

#include <string_view>

namespace troupe::net {

/// What holds for all operations, and the policy of versions: Markdown (headings, paragraphs, lists, `code`), for the
/// API's description and its page.
extern const std::string_view api_guide;

} // namespace troupe::net
