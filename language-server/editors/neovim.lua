-- Neovim 0.7 or later: put this into init.lua. The command is on the path after `npm install -g`; or name the bundle:
-- vim.g.modelfile_server = { 'node', '/path/to/dist/server.js', '--stdio' }
local command = vim.g.modelfile_server or { 'modelfile-language-server', '--stdio' }
local settings = { modelfileStudio = { ollama = { enabled = true }, diagnostics = { severity = {} } } }

vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
  pattern = { 'Modelfile', 'Modelfile.*', '*.Modelfile', '*.modelfile' },
  callback = function() vim.bo.filetype = 'modelfile' end,
})
vim.api.nvim_create_autocmd('FileType', {
  pattern = 'modelfile',
  callback = function(event)
    vim.bo.commentstring = '# %s'
    local config = { name = 'modelfile', cmd = command, root_dir = vim.fn.getcwd(), settings = settings }
    if vim.lsp.start then
      vim.lsp.start(config, { bufnr = event.buf })
    else -- Neovim 0.7
      local client = vim.lsp.start_client(config)
      if client then vim.lsp.buf_attach_client(event.buf, client) end
    end
  end,
})
