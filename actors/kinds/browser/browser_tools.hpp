#pragma once

#include "actors/tool/tool.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// The tools of a browser: their arguments, and what performs them. `product_tools.cpp` has their rows.
namespace troupe::actors {

struct browser_open_arguments {
    std::string url;
    static constexpr field_rule rules[] = {
        {.name = "url", .required = true, .min = 1, .max = 4096, .doc = "An http:// or https:// address."}};
};
BOOST_DESCRIBE_STRUCT(browser_open_arguments, (), (url))

struct browser_lines_arguments {
    std::uint32_t start_line = 1;
    static constexpr field_rule rules[] = {
        {.name = "start_line", .min = 1, .doc = "First line to show; 1 when left out."}};
};
BOOST_DESCRIBE_STRUCT(browser_lines_arguments, (), (start_line))

struct browser_click_arguments {
    std::string ref;
    static constexpr field_rule rules[] = {
        {.name = "ref", .required = true, .min = 1, .max = 40, .doc = "As browser_view names it: \"e12\"."}};
};
BOOST_DESCRIBE_STRUCT(browser_click_arguments, (), (ref))

struct browser_type_arguments {
    std::string ref;
    std::string text;
    bool submit = false;
    static constexpr field_rule rules[] = {
        {.name = "ref", .required = true, .min = 1, .max = 40, .doc = "As browser_view names it: \"e12\"."},
        {.name = "text", .required = true, .max = 20'000, .doc = "Replaces what stands in the field."},
        {.name = "submit", .doc = "Presses Enter afterwards."}};
};
BOOST_DESCRIBE_STRUCT(browser_type_arguments, (), (ref, text, submit))

struct browser_select_arguments {
    std::string ref;
    std::string value;
    static constexpr field_rule rules[] = {
        {.name = "ref", .required = true, .min = 1, .max = 40, .doc = "Of the list, as browser_view names it."},
        {.name = "value", .required = true, .max = 1000, .doc = "Value or text of the choice."}};
};
BOOST_DESCRIBE_STRUCT(browser_select_arguments, (), (ref, value))

struct browser_wait_arguments {
    std::string text;
    std::string url;
    std::uint32_t ms = 0;
    static constexpr field_rule rules[] = {
        {.name = "text", .max = 1000, .doc = "Waits until the page shows this text."},
        {.name = "url", .max = 4096, .doc = "Waits until the page's address holds this."},
        {.name = "ms", .max = 30'000, .doc = "How long to wait; at most 10000 when left out beside text or url."}};
};
BOOST_DESCRIBE_STRUCT(browser_wait_arguments, (), (text, url, ms))

enum class extract_format : std::uint8_t { text, html, markdown, links, table };
BOOST_DESCRIBE_ENUM(extract_format, text, html, markdown, links, table)

struct browser_extract_arguments {
    extract_format format = extract_format::text;
    std::string selector;
    std::string ref;
    std::uint32_t start_line = 1;
    static constexpr field_rule rules[] = {
        {.name = "format", .doc = "text when left out. table: rows of the first table, cells between bars."},
        {.name = "selector", .max = 1000, .doc = "CSS; the first element that fits. Empty: the whole page."},
        {.name = "ref", .max = 40, .doc = "In place of selector: an element as browser_view names it."},
        {.name = "start_line", .min = 1, .doc = "First line to show; 1 when left out."}};
};
BOOST_DESCRIBE_STRUCT(browser_extract_arguments, (), (format, selector, ref, start_line))

struct browser_screenshot_arguments {
    std::string path;
    bool full_page = false;
    static constexpr field_rule rules[] = {
        {.name = "path", .required = true, .min = 5, .max = 4096, .doc = "A file of the project that ends in .png."},
        {.name = "full_page", .doc = "All of the page, 10000 pixels at most; else what a window shows."}};
};
BOOST_DESCRIBE_STRUCT(browser_screenshot_arguments, (), (path, full_page))

namespace browser_tools {

tool_result open(const browser_open_arguments& a, const tool_environment& where);
tool_result view(const browser_lines_arguments& a, const tool_environment& where);
tool_result click(const browser_click_arguments& a, const tool_environment& where);
tool_result type(const browser_type_arguments& a, const tool_environment& where);
tool_result select(const browser_select_arguments& a, const tool_environment& where);
tool_result wait(const browser_wait_arguments& a, const tool_environment& where);
tool_result extract(const browser_extract_arguments& a, const tool_environment& where);
tool_result screenshot(const browser_screenshot_arguments& a, const tool_environment& where);
tool_result console(const browser_lines_arguments& a, const tool_environment& where);
tool_result network(const browser_lines_arguments& a, const tool_environment& where);

} // namespace browser_tools

} // namespace troupe::actors
