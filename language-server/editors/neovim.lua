-- Neovim 0.7 or later: put this into init.lua. The command is on the path after `npm install -g`, or name the file.
vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
  pattern = { 'Modelfile', 'Modelfile.*', '*.Modelfile', '*.modelfile' },
  callback = function() vim.bo.filetype = 'modelfile' end,
})
vim.api.nvim_create_autocmd('FileType', {
  pattern = 'modelfile',
  callback = function()
    vim.bo.commentstring = '# %s'
    local client = vim.lsp.start_client({
      name = 'modelfile',
      cmd = vim.g.modelfile_server or { 'modelfile-language-server', '--stdio' },
      root_dir = vim.fn.getcwd(),
    })
    if client then vim.lsp.buf_attach_client(0, client) end
  end,
})
