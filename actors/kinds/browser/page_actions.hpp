#pragma once

#include "actors/kinds/browser/browser.hpp"
#include "actors/kinds/browser/browser_tools.hpp"

#include <string>
#include <string_view>

/// What is done with the present page of a browser. All of it blocks, and gives up when it is told to stop.
namespace troupe::actors::page_actions {

/// The accessibility tree; the references in it are remembered.
expected<std::string> view(browser& b, const std::stop_token& stop);

/// `begun` is set before the page may notice anything: a problem after that means that it may have happened.
expected<void> click(browser& b, std::string_view ref, bool& begun, const std::stop_token& stop);
expected<void> type(browser& b, const browser_type_arguments& a, bool& begun, const std::stop_token& stop);
/// The text of what was chosen.
expected<std::string> select(browser& b, const browser_select_arguments& a, bool& begun, const std::stop_token& stop);

/// Whether the page shows the text now.
expected<bool> shows(browser& b, std::string_view text, const std::stop_token& stop);

/// Of an element or the whole page: plain text, HTML, links or a table as text.
expected<std::string> extract(browser& b, const browser_extract_arguments& a, const std::stop_token& stop);

expected<std::string> title(browser& b, const std::stop_token& stop);

/// A PNG.
expected<std::string> screenshot(browser& b, bool full_page, const std::stop_token& stop);

} // namespace troupe::actors::page_actions
